-- name: CertificateKeys :many
SELECT serial, card, tbs, reserved_at FROM certificate WHERE serial > $1 AND extends = '' ORDER BY serial LIMIT $2;

-- name: AddSharedPrime :execrows
INSERT INTO shared_prime (prime, found_at) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: SharedPrimes :many
SELECT prime FROM shared_prime ORDER BY prime;
