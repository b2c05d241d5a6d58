// Package model lives many short lives of a small Region: thousands of random
// acts by random roles on random cards, each foreseen by a small model that was
// written from the catalogue of the rules and never asks the code under test
// (rules_test.go). The rooms are the real ones (issuer/counter, production,
// lifecycle, codes, approval; pki/ca; engine/store on SQLite, queue, audit), wired
// as cmd/csed wires them; the clock is set by hand and jumps hours, days and years.
//
// After every act it is checked that
//   - the act was done if and only if the model foresaw it, and what was refused
//     changed nothing;
//   - the four functions of every card, its certificate and its codes are what the
//     dates and table D.11 make of them;
//   - no card moved without a record in the audit trail, every act at a counter
//     left one row and one record, under one protocol number that is nobody else's;
//   - the two halves of a code never meet: in no row, effect, paper, mail, file or
//     answer to a page, and no key opens both.
//
// CSE_MODEL_LIVES is how many lives are lived (make model: a thousand).
package model
