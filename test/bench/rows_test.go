package bench

// rows are measured and printed in this order: the journey of a card. To add
// one, write NAME_test.go with a row and name it here (docs/bench.md).
var rows = []row{
	people,
	cardBase,
	personalisation,
	certificates,
	answers,
	presign,
	lists,
	logins,
	exchanges,
	counters,
	module,
	tools,
	paths,
}
