package listen

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"cse.example/cse/ground/words"
)

// Addresses are where to listen: host:port, port 0 for any free one.
type Addresses struct {
	// TLS carries every host name of the platform.
	TLS string
	// Plain carries CRL and OCSP; empty for none.
	Plain string
	// FreePorts takes any free port of the same host when the one asked for is
	// taken (`csed demo --once`); otherwise a taken port is refused.
	FreePorts bool
}

// Ports are bound and wait for New. They exist apart from the server because
// the public addresses, which handlers and certificates carry, may depend on
// the ports that were free.
type Ports struct {
	tls, plain net.Listener
	moved      []string
}

// Bind takes the ports. It refuses, as a words.Fault: a taken port (CSE-370), a
// port that needs privileges (CSE-371), an address that is malformed or not of
// this machine (CSE-372).
func Bind(ctx context.Context, a Addresses) (*Ports, error) {
	p := &Ports{}
	var err error
	if p.tls, err = p.bind(ctx, a.TLS, a.FreePorts); err != nil {
		return nil, err
	}
	if a.Plain == "" {
		return p, nil
	}
	if p.plain, err = p.bind(ctx, a.Plain, a.FreePorts); err != nil {
		return nil, errors.Join(err, p.tls.Close())
	}
	return p, nil
}

func (p *Ports) bind(ctx context.Context, address string, free bool) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err == nil {
		return l, nil
	}
	if free && errors.Is(err, syscall.EADDRINUSE) {
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr == nil {
			if l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err == nil {
				p.moved = append(p.moved, address)
				return l, nil
			}
		}
	}
	return nil, refused(address, err)
}

func refused(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return words.Refuse("CSE-370", address).Because(err)
	case errors.Is(err, os.ErrPermission):
		return words.Refuse("CSE-371", address).Because(err)
	default:
		return words.Refuse("CSE-372", address).Because(err)
	}
}

// TLS is the address bound for TLS.
func (p *Ports) TLS() *net.TCPAddr { return p.tls.Addr().(*net.TCPAddr) }

// Plain is the address bound without TLS, or nil.
func (p *Ports) Plain() *net.TCPAddr {
	if p.plain == nil {
		return nil
	}
	return p.plain.Addr().(*net.TCPAddr)
}

// Moved lists the addresses asked for that were taken and replaced by free ones.
func (p *Ports) Moved() []string { return p.moved }

// Close gives the ports back, for who binds and then does not serve.
func (p *Ports) Close() error {
	err := p.tls.Close()
	if p.plain != nil {
		err = errors.Join(err, p.plain.Close())
	}
	return err
}
