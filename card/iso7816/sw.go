package iso7816

import "fmt"

// SW is a status word, SW1 SW2. It is an error when it is not OK, so that a
// caller can return it and errors.As can find it.
type SW uint16

// Status words with the meaning the CNS masks give them (card.md section 8).
const (
	OK                     SW = 0x9000
	FileDeactivated        SW = 0x6283
	AuthenticationFailed   SW = 0x6300
	CounterBase            SW = 0x63C0 // 63Cx: x tries left
	MemoryFailure          SW = 0x6581
	WrongLength            SW = 0x6700
	ChannelNotSupported    SW = 0x6881
	SecureMessagingRefused SW = 0x6882
	ChainingNotSupported   SW = 0x6884
	IncompatibleFile       SW = 0x6981
	SecurityNotSatisfied   SW = 0x6982
	AuthenticationBlocked  SW = 0x6983
	ReferenceUnusable      SW = 0x6984
	ConditionsNotSatisfied SW = 0x6985
	NoCurrentEF            SW = 0x6986
	SMObjectsMissing       SW = 0x6987
	SMObjectsWrong         SW = 0x6988
	WrongData              SW = 0x6A80
	FunctionNotSupported   SW = 0x6A81
	FileNotFound           SW = 0x6A82
	RecordNotFound         SW = 0x6A83
	NotEnoughMemory        SW = 0x6A84
	LcInconsistentWithTLV  SW = 0x6A85
	WrongP1P2              SW = 0x6A86
	LcInconsistentWithP1P2 SW = 0x6A87
	ReferenceNotFound      SW = 0x6A88
	FileExists             SW = 0x6A89
	WrongOffset            SW = 0x6B00
	WrongLe                SW = 0x6C00 // 6Cxx: xx bytes are there, 00 for 256
	InstructionUnknown     SW = 0x6D00
	ClassNotSupported      SW = 0x6E00
	InternalError          SW = 0x6F00
)

var meanings = map[SW]string{
	OK:                     "done",
	FileDeactivated:        "the selected file is deactivated",
	AuthenticationFailed:   "authentication failed",
	MemoryFailure:          "writing to the card's memory failed",
	WrongLength:            "wrong length",
	ChannelNotSupported:    "logical channel not supported",
	SecureMessagingRefused: "secure messaging not supported",
	ChainingNotSupported:   "command chaining not supported",
	IncompatibleFile:       "the command does not suit the file's structure",
	SecurityNotSatisfied:   "security status not satisfied",
	AuthenticationBlocked:  "the code is blocked",
	ReferenceUnusable:      "the code or key has a wrong format",
	ConditionsNotSatisfied: "conditions of use not satisfied",
	NoCurrentEF:            "no elementary file is selected",
	SMObjectsMissing:       "secure messaging objects missing",
	SMObjectsWrong:         "secure messaging objects wrong",
	WrongData:              "wrong data field",
	FunctionNotSupported:   "function not supported",
	FileNotFound:           "file or application not found",
	RecordNotFound:         "record not found",
	NotEnoughMemory:        "not enough room in the file",
	LcInconsistentWithTLV:  "length inconsistent with the TLV structure",
	WrongP1P2:              "wrong P1 or P2",
	LcInconsistentWithP1P2: "length inconsistent with P1-P2",
	ReferenceNotFound:      "referenced code, key or data not found",
	FileExists:             "the file exists already",
	WrongLe:                "wrong Le, 256 bytes are there",
	WrongOffset:            "offset at or after the end of the file",
	InstructionUnknown:     "instruction not supported",
	ClassNotSupported:      "class not supported",
	InternalError:          "internal error of the card",
}

// Tries makes 63Cx; n is capped at 15.
func Tries(n int) SW { return CounterBase | SW(min(max(n, 0), 15)) }

// TriesLeft tells x for a 63Cx status word.
func (s SW) TriesLeft() (n int, ok bool) { return int(s & 0xF), s&0xFFF0 == CounterBase }

// OK tells whether the command was done.
func (s SW) OK() bool { return s == OK }

// Meaning is the English meaning of the status word.
func (s SW) Meaning() string {
	if n, ok := s.TriesLeft(); ok {
		return fmt.Sprintf("wrong code, %d tries left", n)
	}
	if m, ok := meanings[s]; ok {
		return m
	}
	return "unknown status word"
}

// String is "6A82 file or application not found".
func (s SW) String() string { return fmt.Sprintf("%04X %s", uint16(s), s.Meaning()) }

// Error implements error.
func (s SW) Error() string { return "card answered " + s.String() }
