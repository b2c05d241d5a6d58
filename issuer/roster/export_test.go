package roster

// Bare is a room of which only some parts are there.
func Bare(d Deps) *Room { return &Room{d: d} }
