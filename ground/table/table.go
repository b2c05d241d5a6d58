// Package table opens the CSV files that people bring: UTF-8, a byte order mark is
// forgiven, columns are separated by commas or semicolons, whichever the first line
// has more of, and the names of the columns may be written in capitals.
package table

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// Open reads the first line and answers its columns, trimmed and in small letters,
// and the rows behind it, which may have any number of fields. The error is of
// reading, of a first line that is no CSV, or io.EOF for an empty file.
func Open(r io.Reader) (header []string, rows *csv.Reader, err error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = b.Discard(3) // just peeked: cannot fail
	}
	head, _ := b.Peek(512) // short files give what there is
	first, _, _ := strings.Cut(string(head), "\n")
	rows = csv.NewReader(b)
	rows.FieldsPerRecord = -1
	if strings.Count(first, ";") > strings.Count(first, ",") {
		rows.Comma = ';'
	}
	if header, err = rows.Read(); err != nil {
		return nil, nil, err
	}
	for i := range header {
		header[i] = strings.ToLower(strings.TrimSpace(header[i]))
	}
	return header, rows, nil
}

// Line is the line where a record begins, also of one that could not be read; zero
// when it is not known.
func Line(rows *csv.Reader, fields []string, err error) int {
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		return syntax.StartLine
	}
	if len(fields) == 0 {
		return 0
	}
	line, _ := rows.FieldPos(0)
	return line
}
