//go:build cgo

package hsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"
)

// module is a PKCS #11 library. The standard initialises it once for a whole
// process, so the tokens of one library share it.
type module struct {
	path  string
	users int
	// calls is held for reading by whoever calls into the library, for writing
	// while sessions are replaced or the library is initialised anew.
	calls sync.RWMutex
	ctx   *pkcs11.Ctx
	// life counts initialisations: handles of an earlier life may have been given
	// to somebody else since.
	life int
}

var modules = struct {
	sync.Mutex
	open map[string]*module
}{open: map[string]*module{}}

// attach loads and initialises the library at path, or shares it.
func attach(path string) (*module, error) {
	modules.Lock()
	defer modules.Unlock()
	if m := modules.open[path]; m != nil {
		m.users++
		return m, nil
	}
	m := &module{path: path, users: 1, ctx: pkcs11.New(path)}
	if m.ctx == nil {
		return nil, fmt.Errorf("hsm: %s is no PKCS #11 library", path)
	}
	if err := m.initialise(); err != nil {
		m.ctx.Destroy()
		return nil, err
	}
	modules.open[path] = m
	return m, nil
}

// detach lets go of the library, the last user for good.
func (m *module) detach() error {
	modules.Lock()
	defer modules.Unlock()
	if m.users--; m.users > 0 {
		return nil
	}
	delete(modules.open, m.path)
	m.calls.Lock()
	defer m.calls.Unlock()
	err := m.ctx.Finalize()
	m.ctx.Destroy()
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		err = nil
	}
	return err
}

func (m *module) initialise() error {
	// Somebody else in this process may have done it.
	if err := m.ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return fmt.Errorf("hsm: initialise %s: %w", m.path, err)
	}
	return nil
}

// restart initialises the library anew; calls is held for writing.
func (m *module) restart() error {
	m.life++
	if err := m.ctx.Finalize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		return fmt.Errorf("hsm: finalise %s: %w", m.path, err)
	}
	return m.initialise()
}
