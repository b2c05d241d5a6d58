// Package ground is what every room stands on; see its sub-packages: words
// (what is said to people), secret (what is never printed), civil (days and
// clocks), journal and effect (how an act is recorded and what it causes).
// Nothing here imports anything else of ours.
package ground
