package portal

import "cse.example/cse/ground/words"

// faultsOf lists the faults of a refusal: those of an error that joins several,
// each with its field, or the one of any other; none for what is no refusal.
func faultsOf(err error) []*words.Fault {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*words.Fault
		for _, x := range all.Unwrap() {
			f := words.FaultOf(x)
			if f == nil {
				return nil // not a refusal alone: it is logged, not shown
			}
			out = append(out, f)
		}
		return out
	}
	if f := words.FaultOf(err); f != nil {
		return []*words.Fault{f}
	}
	return nil
}
