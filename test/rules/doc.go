// Package rules proves the rules of the catalogue (R1..R114) that no single room
// can prove alone. docs/rules.md says for each rule where it is kept and which
// test would fail; the tests of one room's rules stand in that room.
package rules
