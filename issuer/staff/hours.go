package staff

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Span is one stretch of a day on which an office is open, in minutes after
// midnight by the clock in Rome; Until is the first minute when it is closed.
type Span struct {
	Day         time.Weekday
	From, Until int
}

// Hours are an office's opening hours in the week, Monday first. As text they
// are "lun-ven 08:30-13:00; mar 15:00-17:00": days in Italian or English, several
// stretches of a day one after the other.
type Hours []Span

var dayNames = [][]string{
	time.Sunday: {"dom", "sun"}, time.Monday: {"lun", "mon"}, time.Tuesday: {"mar", "tue"}, time.Wednesday: {"mer", "wed"},
	time.Thursday: {"gio", "thu"}, time.Friday: {"ven", "fri"}, time.Saturday: {"sab", "sat"},
}

// sinceMonday is where a day stands in a week that begins on Monday.
func sinceMonday(d time.Weekday) int { return (int(d) + 6) % 7 }

func parseDay(s string) (time.Weekday, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) >= 3 {
		for d, names := range dayNames {
			if slices.Contains(names, s[:3]) {
				return time.Weekday(d), nil
			}
		}
	}
	return 0, fmt.Errorf("hours: %q is no day: write lun, mar, mer, gio, ven, sab or dom", s)
}

func parseMinute(s string) (int, error) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hours, err1 := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	if !ok || err1 != nil || err2 != nil || len(h) > 2 || len(m) != 2 || hours < 0 || minutes < 0 || minutes > 59 || hours*60+minutes > 24*60 {
		return 0, fmt.Errorf("hours: %q is no hour: write 08:30", s)
	}
	return hours*60 + minutes, nil
}

// ParseHours reads the text that String writes; empty text is no hours.
func ParseHours(s string) (Hours, error) {
	var out Hours
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		days, hours, ok := strings.Cut(part, " ")
		if !ok {
			return nil, fmt.Errorf("hours: %q: write days, a space, and from-until: lun-ven 08:30-13:00", part)
		}
		first, last, through := strings.Cut(days, "-")
		from, err := parseDay(first)
		if err != nil {
			return nil, err
		}
		to := from
		if through {
			if to, err = parseDay(last); err != nil {
				return nil, err
			}
		}
		a, b := sinceMonday(from), sinceMonday(to)
		if b < a {
			return nil, fmt.Errorf("hours: %q: the week goes from Monday to Sunday", days)
		}
		for stretch := range strings.SplitSeq(hours, ",") {
			open, shut, _ := strings.Cut(stretch, "-")
			x, err := parseMinute(open)
			if err != nil {
				return nil, err
			}
			y, err := parseMinute(shut)
			if err != nil {
				return nil, err
			}
			if y <= x {
				return nil, fmt.Errorf("hours: %q ends before it begins", stretch)
			}
			for i := a; i <= b; i++ {
				out = append(out, Span{time.Weekday((i + 1) % 7), x, y})
			}
		}
	}
	slices.SortFunc(out, func(a, b Span) int {
		return cmp.Or(cmp.Compare(sinceMonday(a.Day), sinceMonday(b.Day)), cmp.Compare(a.From, b.From))
	})
	for i := 1; i < len(out); i++ {
		if out[i].Day == out[i-1].Day && out[i].From < out[i-1].Until {
			return nil, fmt.Errorf("hours: two stretches of %s overlap", dayNames[out[i].Day][0])
		}
	}
	return out, nil
}

// String is the hours as text, one day after the other; days with the same hours
// that follow each other are written together.
func (h Hours) String() string {
	var days [7]string
	for _, s := range h {
		i := sinceMonday(s.Day)
		if days[i] != "" {
			days[i] += ","
		}
		days[i] += fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.Until/60, s.Until%60)
	}
	var out []string
	for i := 0; i < 7; i++ {
		if days[i] == "" {
			continue
		}
		j := i
		for j < 6 && days[j+1] == days[i] {
			j++
		}
		name := dayNames[(i+1)%7][0]
		if j > i {
			name += "-" + dayNames[(j+1)%7][0]
		}
		out = append(out, name+" "+days[i])
		i = j
	}
	return strings.Join(out, "; ")
}

// MarshalText implements encoding.TextMarshaler.
func (h Hours) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; yaml and JSON use it.
func (h *Hours) UnmarshalText(b []byte) (err error) {
	*h, err = ParseHours(string(b))
	return err
}
