package pinmanager

// desk is what lies in memory between two pages: one document at a time.
type desk struct{}
