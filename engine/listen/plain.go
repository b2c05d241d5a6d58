package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServePlain serves the plain port alone, for who gives only what is signed: no
// TLS, no hosts. It binds address (refusing as Bind does), tells up where that is,
// and serves site.Plain until ctx ends, under the same limits as a Server.
func ServePlain(ctx context.Context, address string, site Site, up func(net.Addr)) error {
	l, err := (&Ports{}).bind(ctx, address, false)
	if err != nil {
		return err
	}
	if site.Log == nil {
		site.Log = slog.New(slog.DiscardHandler)
	}
	site.Grace, site.Header = orElse(site.Grace, 10*time.Second), orElse(site.Header, 10*time.Second)
	if site.MaxConns <= 0 {
		site.MaxConns = 4096
	}
	s := &Server{site: site}
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.servers = []*http.Server{s.server(inner, http.MaxBytesHandler(site.Plain, maxBody))}
	up(l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- s.servers[0].Serve(limit(l, site.MaxConns)) }()
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		err = fmt.Errorf("listen: %w", err)
	}
	return errors.Join(err, s.shutdown())
}
