// Command cse is the holder's tool for the health card with a chip (TS-CNS):
// it looks at readers and cards, changes and unblocks the PIN, shows the
// certificate, logs in to a site, and puts virtual cards into virtual readers.
// See "cse help" and the files of this folder, one per noun.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends a program that hangs in a reader
	os.Exit(Run(ctx, Real(), os.Args[1:]))
}
