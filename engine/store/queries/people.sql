-- name: PutPerson :execrows
INSERT INTO person (cf, surname, name, born, sex, birth_place, birth_province, citizenship, residence, address,
  post_code, died, asl, assisted_from, assisted_until, abroad_right, permit, permit_until, guardians,
  under_guardianship, email, by_surname, by_name, digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT (cf) DO UPDATE SET surname = excluded.surname, name = excluded.name, born = excluded.born, sex = excluded.sex,
  birth_place = excluded.birth_place, birth_province = excluded.birth_province, citizenship = excluded.citizenship,
  residence = excluded.residence, address = excluded.address, post_code = excluded.post_code, died = excluded.died,
  asl = excluded.asl, assisted_from = excluded.assisted_from, assisted_until = excluded.assisted_until,
  abroad_right = excluded.abroad_right, permit = excluded.permit, permit_until = excluded.permit_until,
  guardians = excluded.guardians, under_guardianship = excluded.under_guardianship, email = excluded.email,
  by_surname = excluded.by_surname, by_name = excluded.by_name, digest = excluded.digest
WHERE person.digest <> excluded.digest;

-- name: GetPerson :one
SELECT * FROM person WHERE cf = $1;

-- name: SearchPeople :many
SELECT * FROM person
WHERE ((by_surname >= sqlc.arg(lo) AND by_surname < sqlc.arg(hi)) OR (by_name >= sqlc.arg(lo) AND by_name < sqlc.arg(hi)))
  AND (sqlc.arg(born) = '' OR born = sqlc.arg(born))
ORDER BY by_surname, cf
LIMIT sqlc.arg(most);

-- name: PeopleAfter :many
SELECT * FROM person WHERE cf > $1 ORDER BY cf LIMIT $2;

-- name: CountPeople :one
SELECT COUNT(*) FROM person;

-- name: DropGuardians :exec
DELETE FROM person_guardian WHERE holder = $1;

-- name: AddGuardian :exec
INSERT INTO person_guardian (guardian, holder) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: PeopleByGuardian :many
SELECT person.* FROM person JOIN person_guardian ON person_guardian.holder = person.cf
WHERE person_guardian.guardian = $1 ORDER BY person.born, person.cf LIMIT 200;

-- name: PeopleWithGuardians :many
SELECT * FROM person WHERE cf > $1 AND guardians <> '[]' AND guardians <> 'null' ORDER BY cf LIMIT $2;
