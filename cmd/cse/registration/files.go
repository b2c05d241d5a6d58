package registration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// p11kit is a module file of p11-kit, wholly ours (pkcs11.conf(5)).
type p11kit struct {
	path    string
	folders int // above the file that Install may have made
}

func (p p11kit) look() (Place, error) {
	here := Place{Kind: P11Kit, Path: p.path, State: Absent}
	b, err := read(p.path)
	for line := range strings.Lines(string(b)) {
		if key, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "module" {
			here.State, here.Module = Registered, strings.TrimSpace(v)
		}
	}
	return here, err
}

func (p p11kit) put(module string) error {
	return write(p.path, []byte("# written by \"cse module install\"; \"cse module remove\" takes it away\nmodule: "+module+"\n"), 0o644, 0o755)
}

func (p p11kit) take() error { return clean(p.path, p.folders) }

// policies is Firefox's policies.json: SecurityDevices.Add names modules
// (Firefox 114 and later).
type policies struct{ path string }

// tree reads the file and gives the object that names modules, made if wanted.
func (p policies) tree(b []byte, make bool) (all, devices map[string]any, err error) {
	all = map[string]any{}
	if len(bytes.TrimSpace(b)) > 0 {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&all); err != nil {
			return nil, nil, err
		}
	}
	devices = all
	for _, key := range []string{"policies", "SecurityDevices", "Add"} {
		next, ok := devices[key].(map[string]any)
		switch {
		case ok:
		case devices[key] != nil:
			return nil, nil, fmt.Errorf("%q is not an object", key)
		case !make:
			return all, nil, nil
		default:
			next = map[string]any{}
			devices[key] = next
		}
		devices = next
	}
	return all, devices, nil
}

func (p policies) look() (Place, error) {
	here := Place{Kind: Policy, Path: p.path, State: Absent}
	b, err := read(p.path)
	if err != nil {
		return here, err
	}
	_, devices, err := p.tree(b, false)
	if m, ok := devices[Name].(string); ok {
		here.State, here.Module = Registered, m
	}
	return here, err
}

func (p policies) put(module string) error {
	b, err := read(p.path)
	if err != nil {
		return err
	}
	all, devices, err := p.tree(b, true)
	if err != nil {
		return err
	}
	devices[Name] = module
	return p.save(all)
}

func (p policies) save(all map[string]any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	return write(p.path, b.Bytes(), 0o644, 0o755)
}

func (p policies) take() error {
	b, err := read(p.path)
	if err != nil {
		return err
	}
	all, devices, err := p.tree(b, true)
	if err != nil {
		return err
	}
	delete(devices, Name)
	prune(all, "policies", "SecurityDevices", "Add")
	if len(all) == 0 {
		return clean(p.path, 2)
	}
	return p.save(all)
}

// prune removes the objects along keys that have become empty, innermost first.
func prune(all map[string]any, keys ...string) {
	inner, _ := all[keys[0]].(map[string]any)
	if len(keys) > 1 && inner != nil {
		prune(inner, keys[1:]...)
	}
	if len(inner) == 0 {
		delete(all, keys[0])
	}
}
