package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/card/holder/holdertest"
)

// module is our PKCS#11 module beside OpenSC's, on the same chip: what "insert,
// log in, one signature" costs the card (pkcs11-tool with both), signatures a
// second by one small caller in C, and that caller's memory. The chip is our
// emulated one in both cases: a real chip takes some 0.1 to 0.5 s for each.
var module = row{"module", func(t *testing.T, s size) []figure {
	d := insert(t)
	ours := os.Getenv("CSE_BENCH_MODULE")
	if _, err := os.Stat(ours); err != nil {
		t.Fatalf("CSE_BENCH_MODULE does not name the module (%v): run scripts/bench.sh; a C compiler is needed", err)
	}
	d.file(t, "message", []byte("one signature"))
	caller := filepath.Join(d.home, "sign")
	here, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	d.run(t, "", "gcc", "-O2", "-I", filepath.Join(here, "cmd/cse-pkcs11"), "-o", caller, filepath.Join(here, "test/bench/testdata/sign.c"), "-ldl")

	var ourBytes, peerBytes, ourMemory, peerMemory []float64
	exchanges := func(module string, bytes *[]float64) float64 {
		d.count.Zero()
		d.run(t, "", "pkcs11-tool", "--module", module, "--login", "--pin", holdertest.PIN, "-s", "-m", "SHA256-RSA-PKCS",
			"--id", "01", "-i", "message", "-o", "signature")
		c := d.count.Count()
		*bytes = append(*bytes, float64(c.Sent+c.Received))
		return float64(c.APDUs)
	}
	apdus, peerAPDUs := s.rounds(3,
		func() float64 { return exchanges(ours, &ourBytes) },
		func() float64 { return exchanges(d.module, &peerBytes) },
	)
	n := s.of(300, 30)
	signatures := func(module string, memory *[]float64) float64 {
		var rate, kb float64
		out := d.run(t, "", caller, module, holdertest.PIN, fmt.Sprint(n))
		if _, err := fmt.Sscan(out, &rate, &kb); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		*memory = append(*memory, kb/1024)
		return rate
	}
	rate, peerRate := s.rounds(3,
		func() float64 { return signatures(ours, &ourMemory) },
		func() float64 { return signatures(d.module, &peerMemory) },
	)
	const beside = "OpenSC's module"
	return []figure{
		{name: "module: exchanges of log-in and signature", unit: "APDUs", ours: apdus, peer: peerAPDUs, beside: beside},
		{name: "module: bytes of log-in and signature", unit: "bytes", ours: ourBytes, peer: peerBytes, beside: beside},
		{name: "module: signatures", unit: "signatures/s", ours: rate, peer: peerRate, beside: beside},
		{name: "module: memory of a small caller", unit: "MB", ours: ourMemory, peer: peerMemory, beside: beside},
	}
}}

// sources is the folder of the checkout, from which scripts/bench.sh runs.
func sources() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, no := os.Stat(filepath.Join(dir, "go.mod")); no == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no checkout above the working folder")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
