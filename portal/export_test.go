package portal

import "slices"

// SecretFields are the fields that a lock never keeps.
func SecretFields() []string { return slices.Clone(secretFields) }
