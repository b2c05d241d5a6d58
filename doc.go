// Package cse is the root of the open TS-CNS platform. It holds no code: start
// reading at docs/house.md, or follow one activation through docs/tour.md.
package cse
