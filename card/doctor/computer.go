package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// Host knows what this computer has beyond what PC/SC tells. Only Linux is
// looked at; elsewhere the service is a part of the system.
type Host struct {
	// Root is in front of every path; empty outside of tests.
	Root string
	// System is runtime.GOOS when empty.
	System string
}

func (h Host) linux() bool {
	return h.System == "linux" || h.System == "" && runtime.GOOS == "linux"
}

// whyNoService tells a service that is not installed (CSE-800) or refuses this
// person (CSE-801) from one that is stopped (CSE-202).
func (h Host) whyNoService(err error) error {
	switch {
	case errors.Is(err, reader.ErrForbidden):
		return words.Refuse("CSE-801").Because(err)
	case errors.Is(err, reader.ErrLibrary) && h.linux(), h.linux() && !h.hasService():
		return words.Refuse("CSE-800").Because(err)
	}
	return err
}

func (h Host) hasService() bool {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin"} {
		if i, err := os.Stat(filepath.Join(h.Root, dir, "pcscd")); err == nil && i.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// smartCardClass is bInterfaceClass of a CCID reader (USB CCID 1.1, section 4.2).
const smartCardClass = "0b"

// USBReaders are the names of the devices that say they are smart card readers
// to the kernel, whether or not PC/SC has a driver for them.
func (h Host) USBReaders() []string {
	if !h.linux() {
		return nil
	}
	classes, err := filepath.Glob(filepath.Join(h.Root, "/sys/bus/usb/devices/*/bInterfaceClass"))
	if err != nil {
		return nil
	}
	var names []string
	for _, file := range classes {
		if text(file) != smartCardClass {
			continue
		}
		device, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), ":") // "1-2:1.0" is an interface of "1-2"
		dir := filepath.Join(h.Root, "/sys/bus/usb/devices", device)
		name := strings.TrimSpace(text(filepath.Join(dir, "manufacturer")) + " " + text(filepath.Join(dir, "product")))
		if name == "" {
			name = "USB " + text(filepath.Join(dir, "idVendor")) + ":" + text(filepath.Join(dir, "idProduct"))
		}
		names = append(names, name)
	}
	return names
}

// text is a small file's content without the space around it; empty when it
// cannot be read.
func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil || len(b) > 4096 {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// browser tells whether a browser knows the module.
func (r *run) browser() {
	if r.Programs == nil {
		r.unknown(diagnosis.Browser, "browser.elsewhere")
		return
	}
	module, places, err := r.Programs()
	if err != nil {
		r.bad(diagnosis.Browser, err)
		return
	}
	var known, stale int
	var absent, boxed []Program
	for _, p := range places {
		switch {
		case p.State == Stale:
			stale++
			r.add(diagnosis.Check{Part: diagnosis.Browser, State: diagnosis.Fault, Fault: words.Refuse("CSE-815", p.Name), Detail: p.Path})
		case !p.Browser:
		case p.State == Registered:
			known++
			r.add(diagnosis.Check{Part: diagnosis.Browser, State: diagnosis.OK, Note: "browser", Args: []any{p.Name}, Detail: p.Path})
		case p.State == Sandboxed:
			boxed = append(boxed, p)
		default:
			absent = append(absent, p)
		}
	}
	// One browser that works is enough; the others are said and are no fault.
	state := diagnosis.Attention
	if known == 0 {
		state = diagnosis.Fault
	}
	if known == 0 && module == "" {
		r.add(diagnosis.Check{Part: diagnosis.Browser, State: state, Fault: words.Refuse("CSE-702", "libcse-pkcs11.so")})
		return
	}
	if known+stale+len(boxed)+len(absent) == 0 {
		r.unknown(diagnosis.Browser, "browser.none")
		return
	}
	for _, p := range boxed {
		r.add(diagnosis.Check{Part: diagnosis.Browser, State: state, Fault: words.Refuse("CSE-814", p.Name), Detail: p.Path})
	}
	if len(boxed) > 0 && state == diagnosis.Fault {
		state = diagnosis.Attention // a browser nobody may have installed is not the first thing to mend
	}
	for _, p := range absent {
		r.add(diagnosis.Check{Part: diagnosis.Browser, State: state, Fault: words.Refuse("CSE-813", p.Name), Detail: p.Path})
	}
}
