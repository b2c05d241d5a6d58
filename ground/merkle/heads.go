package merkle

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ParseHeads reads heads that somebody kept, in any order: a Head as a JSON object on
// a line of its own, or the text of a checkpoint, with or without its signature.
// Whoever kept a head on paper believes it for that, so no signature is looked at.
func ParseHeads(text string) ([]Head, error) {
	var out []Head
	all := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for len(all) > 0 {
		line := strings.TrimSpace(all[0])
		switch {
		case line == "" || strings.HasPrefix(line, "— "):
			all = all[1:]
		case strings.HasPrefix(line, "{"):
			var h Head
			if err := json.Unmarshal([]byte(line), &h); err != nil {
				return nil, fmt.Errorf("merkle: a head: %w", err)
			}
			if b, err := hex.DecodeString(h.Hash); err != nil || len(b) != len(Hash{}) || h.Index < 0 || hex.EncodeToString(b) != h.Hash {
				return nil, fmt.Errorf("merkle: no head: %s", line)
			}
			out, all = append(out, h), all[1:]
		case len(all) >= 4:
			c, err := ParseCheckpoint(strings.Join(all[:4], "\n") + "\n")
			if err != nil {
				return nil, err
			}
			out, all = append(out, HeadOf(c.Size, c.Root)), all[4:]
		default:
			return nil, errors.New("merkle: the last head is not whole")
		}
	}
	if len(out) == 0 {
		return nil, errors.New("merkle: no head")
	}
	return out, nil
}
