package ceremony

// Before lets a test stop a ceremony before each thing that is written.
func Before(e Env, f func(step string) error) Env {
	e.before = f
	return e
}

// Parse and ParseTranscript are for fuzzing.
var (
	Parse           = parse
	ParseTranscript = parseTranscript
	ParseApproval   = parseApproval
)

// Text is what an approval's parser read, as it is written.
func (a approval) Text() string { return a.text() }
