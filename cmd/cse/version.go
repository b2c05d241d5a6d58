package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionDocument struct {
	Schema   string `json:"schema"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// release is the version of the package that this binary is in (scripts/packages.sh).
var release string

// version is what the Go linker knows of this binary.
func version() versionDocument {
	v := versionDocument{Schema: "cse.version/1", Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if release != "" {
		v.Version = release
	} else if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return a.command("version", "version", []string{"versione"}, 0, func(context.Context, []string) error {
		v := version()
		return a.emit(v, func(w io.Writer) { fmt.Fprintf(w, "cse %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch) })
	})
}
