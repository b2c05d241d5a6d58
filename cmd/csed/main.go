// Command csed is the platform: certification authority, production, counters,
// login, pages, in one program. `csed demo` shows all of it in a minute;
// `csed serve` runs it for a Region. Everything is wired in serve.go (Open);
// the configuration is one YAML file (config.go, docs/configuration.md).
//
// Exit status: 0 done, 1 failed, 2 wrong usage or configuration. Messages and
// progress go to standard error, data to standard output.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
