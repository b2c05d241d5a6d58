package ca

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// FileDetails is what a folder says of its authority beside the certificates, made
// by a ceremony (pki/ceremony); a folder may lack it.
const FileDetails = "authority.json"

// Details are what FileDetails holds.
type Details struct {
	Schema string `json:"schema"` // cse.authority/1
	Label  string `json:"label"`
	// IssuesFrom and IssuesTo are the first and last day (YYYY-MM-DD) on which it is
	// meant to issue.
	IssuesFrom string `json:"issues_from"`
	IssuesTo   string `json:"issues_to"`
	// CRLShards is the number of parts of its list.
	CRLShards int `json:"crl_shards"`
}

const schemaDetails = "cse.authority/1"

// Marshal writes d as it is filed.
func (d Details) Marshal() ([]byte, error) {
	d.Schema = schemaDetails
	b, err := json.MarshalIndent(d, "", "  ")
	return append(b, '\n'), err
}

// readDetails reads the folder's; none is the zero value.
func readDetails(dir, label string) (Details, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileDetails))
	if errors.Is(err, os.ErrNotExist) {
		return Details{}, nil
	}
	if err != nil {
		return Details{}, fmt.Errorf("ca: %w", err)
	}
	var d Details
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Details{}, fmt.Errorf("ca: %s: %w", FileDetails, err)
	}
	if d.Schema != schemaDetails || d.Label != label || d.CRLShards < 1 || d.CRLShards > 256 {
		return Details{}, fmt.Errorf("ca: %s is of authority %q, with %d parts of its list, not of %q", FileDetails, d.Label, d.CRLShards, label)
	}
	return d, nil
}
