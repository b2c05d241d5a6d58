package main

import (
	"io/fs"
	"os"
)

// downloads is the folder of packages; nil when none is configured. The folder
// is opened anew each time, so that it may come later, or be changed for another.
func (p *Platform) downloads() fs.FS {
	if p.Config.Downloads == "" {
		return nil
	}
	return folder(p.Config.under(p.Config.Downloads))
}

// folder is the files below a path; links that lead out of it are not followed.
type folder string

// Open implements fs.FS.
func (f folder) Open(name string) (fs.File, error) {
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(name)
}
