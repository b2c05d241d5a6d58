package path

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// constraints are the subtrees that the authorities of a path allow and forbid (RFC 5280, 4.2.1.10).
type constraints struct {
	permitted [][]general // each set must be satisfied
	excluded  []general
	broken    bool // a critical extension used minimum or maximum
	left      int  // comparisons
}

// maxComparisons bounds names times subtrees over a path.
const maxComparisons = 250_000

func (c *constraints) add(e *extensions) {
	if !e.hasNC {
		return
	}
	if e.ncBroken {
		c.broken = true
	}
	if len(e.permitted) > 0 {
		c.permitted = append(c.permitted, e.permitted)
	}
	c.excluded = append(c.excluded, e.excluded...)
}

var errWork = errors.New("too many names and constraints")

// check judges the names of a certificate.
func (c *constraints) check(cert *Certificate) error {
	if len(c.permitted) == 0 && len(c.excluded) == 0 {
		return nil
	}
	if c.broken {
		return errors.New("a constraint with minimum or maximum")
	}
	if !cert.Subject.Empty() {
		if err := c.name(general{kind: kindDirectory, name: cert.Subject}); err != nil {
			return err
		}
	}
	for _, n := range cert.san {
		if err := c.name(n); err != nil {
			return err
		}
	}
	if cert.hasSAN {
		return nil
	}
	for _, e := range cert.Subject.emails {
		if err := c.name(general{kind: kindEmail, text: e}); err != nil {
			return err
		}
	}
	return nil
}

func (c *constraints) name(n general) error {
	for _, x := range c.excluded {
		if x.kind != n.kind {
			continue
		}
		in, err := c.inside(n, x)
		if err != nil {
			return err
		}
		if in {
			return fmt.Errorf("%v is in an excluded subtree", n)
		}
	}
	for _, set := range c.permitted {
		ofKind, ok := false, false
		for _, p := range set {
			if p.kind != n.kind {
				continue
			}
			ofKind = true
			in, err := c.inside(n, p)
			if err != nil {
				return err
			}
			if ok = in; ok {
				break
			}
		}
		if ofKind && !ok {
			return fmt.Errorf("%v is in no permitted subtree", n)
		}
	}
	return nil
}

func (c *constraints) inside(n, base general) (bool, error) {
	if c.left--; c.left < 0 {
		return false, errWork
	}
	switch n.kind {
	case kindDirectory:
		return n.name.within(base.name), nil
	case kindDNS:
		return hostWithin(n.text, base.text, true)
	case kindEmail:
		return emailWithin(n.text, base.text)
	case kindURI:
		return uriWithin(n.text, base.text)
	case kindIP:
		return ipWithin(n.raw, base.raw)
	}
	return false, fmt.Errorf("a constraint on names of type %d, which is not known here", n.kind)
}

var errHost = errors.New("not a host name")

// hostWithin: "example.it" holds itself and, when below, what lies below it;
// ".example.it" holds only what lies below. A wildcard stands for any one label.
func hostWithin(host, base string, below bool) (bool, error) {
	host, base = strings.ToLower(strings.TrimSuffix(host, ".")), strings.ToLower(base)
	if base == "" {
		return true, nil
	}
	if host == "" || strings.Contains(host, "..") || strings.HasPrefix(host, ".") {
		return false, errHost
	}
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, base) && len(host) > len(base), nil
	}
	return host == base || (below && strings.HasSuffix(host, "."+base)), nil
}

func emailWithin(address, base string) (bool, error) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return false, errors.New("not a mailbox")
	}
	if i := strings.LastIndexByte(base, '@'); i >= 0 {
		return address[:at] == base[:i] && strings.EqualFold(address[at+1:], base[i+1:]), nil
	}
	return hostWithin(address[at+1:], base, false)
}

func uriWithin(uri, base string) (bool, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" {
		return false, errors.New("an address without a host")
	}
	if net.ParseIP(u.Hostname()) != nil {
		return false, errors.New("an address whose host is a number")
	}
	return hostWithin(u.Hostname(), base, false)
}

func ipWithin(ip, base []byte) (bool, error) {
	if len(ip) != 4 && len(ip) != 16 {
		return false, errors.New("not an IP address")
	}
	if len(base) != 8 && len(base) != 32 {
		return false, errors.New("not an IP network")
	}
	if len(base) != 2*len(ip) {
		return false, nil
	}
	mask := base[len(ip):]
	if ones, _ := net.IPMask(mask).Size(); ones == 0 && !bytes.Equal(mask, make([]byte, len(mask))) {
		return false, errors.New("a network whose mask has holes")
	}
	for i := range ip {
		if ip[i]&mask[i] != base[i]&mask[i] {
			return false, nil
		}
	}
	return true, nil
}
