package table_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"cse.example/cse/ground/table"
)

func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		header []string
		row    []string
	}{
		"commas":             {"a,b\n1,2\n", []string{"a", "b"}, []string{"1", "2"}},
		"semicolons":         {"a;b\n1,5;2\n", []string{"a", "b"}, []string{"1,5", "2"}},
		"mark and capitals":  {"\uFEFF A ; B\n1;2\n", []string{"a", "b"}, []string{"1", "2"}},
		"more fields":        {"a,b\n1,2,3\n", []string{"a", "b"}, []string{"1", "2", "3"}},
		"lines of Windows":   {"a;b\r\n1;2\r\n", []string{"a", "b"}, []string{"1", "2"}},
		"no end of the line": {"a,b\n1,2", []string{"a", "b"}, []string{"1", "2"}},
	} {
		header, rows, err := table.Open(strings.NewReader(c.file))
		if err != nil || !slices.Equal(header, c.header) {
			t.Errorf("%s: %q, %v", name, header, err)
			continue
		}
		row, err := rows.Read()
		if err != nil || !slices.Equal(row, c.row) || table.Line(rows, row, err) != 2 {
			t.Errorf("%s: %q at line %d, %v", name, row, table.Line(rows, row, err), err)
		}
	}
	if _, _, err := table.Open(strings.NewReader("")); !errors.Is(err, io.EOF) {
		t.Errorf("an empty file: %v", err)
	}
}

// A record that cannot be read has a line, and asking for it never panics.
func TestLineOfWhatCannotBeRead(t *testing.T) {
	_, rows, err := table.Open(strings.NewReader("a;b\n1;2\n\"unfinished"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; ; n++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if got := table.Line(rows, row, err); got != n {
			t.Errorf("line %d, want %d (%v)", got, n, err)
		}
		if err != nil {
			return
		}
	}
}
