// Package civil is time as people and law count it: calendar days in
// Europe/Rome, kept apart from instants, which are UTC.
//
// A Date has no hour and no zone. A day begins at midnight in Rome and ends one
// second before the next midnight, whatever daylight saving does in between.
// Every clock is passed in: nothing below cmd calls time.Now.
package civil

import (
	"errors"
	"fmt"
	"sync"
	"time"
	_ "time/tzdata" // Europe/Rome must exist on every machine
)

// Rome is the zone in which people's days are counted.
var Rome = mustLoad("Europe/Rome")

func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic("civil: " + err.Error()) // impossible: time/tzdata is embedded
	}
	return l
}

// Clock tells the present instant, in UTC.
type Clock interface{ Now() time.Time }

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now().UTC() }

// Hand is a clock moved by hand, for tests and rehearsals. It is safe for
// concurrent use.
type Hand struct {
	mu sync.Mutex
	t  time.Time
}

// NewHand returns a clock that stands at t.
func NewHand(t time.Time) *Hand { return &Hand{t: t.UTC()} }

// Now implements Clock.
func (h *Hand) Now() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.t }

// Set moves the clock to t.
func (h *Hand) Set(t time.Time) { h.mu.Lock(); defer h.mu.Unlock(); h.t = t.UTC() }

// Advance moves the clock by d.
func (h *Hand) Advance(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.t = h.t.Add(d) }

// Date is a calendar day. The zero Date means "no date".
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ErrDate is returned for text or numbers that are not a calendar day.
var ErrDate = errors.New("not a calendar day")

// NewDate refuses days that do not exist (29 February of a common year).
func NewDate(y int, m time.Month, d int) (Date, error) {
	x := Date{y, m, d}
	if !x.Valid() {
		return Date{}, fmt.Errorf("%w: %04d-%02d-%02d", ErrDate, y, int(m), d)
	}
	return x, nil
}

// Valid tells whether d exists in the Gregorian calendar, years 1 to 9999.
func (d Date) Valid() bool {
	if d.Year < 1 || d.Year > 9999 || d.Month < 1 || d.Month > 12 || d.Day < 1 {
		return false
	}
	t := time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC)
	return t.Day() == d.Day && t.Month() == d.Month
}

// DayOf is the day on which t falls in Rome.
func DayOf(t time.Time) Date {
	y, m, d := t.In(Rome).Date()
	return Date{y, m, d}
}

// Today is the day it is in Rome by clock c.
func Today(c Clock) Date { return DayOf(c.Now()) }

// ParseISO reads 2026-11-23.
func ParseISO(s string) (Date, error) { return parse("2006-01-02", s) }

// ParseItalian reads 23/11/2026, the form people type.
func ParseItalian(s string) (Date, error) { return parse("02/01/2006", s) }

// ParseCompact reads 23112026, the form of the card's personal data file.
func ParseCompact(s string) (Date, error) { return parse("02012006", s) }

func parse(layout, s string) (Date, error) {
	t, err := time.Parse(layout, s)
	if err != nil {
		return Date{}, fmt.Errorf("%w: %q", ErrDate, s)
	}
	y, m, d := t.Date()
	return NewDate(y, m, d)
}

// IsZero tells "no date".
func (d Date) IsZero() bool { return d == Date{} }

// String is ISO 8601 (2026-11-23), or nothing for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// Italian is 23/11/2026.
func (d Date) Italian() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%02d/%02d/%04d", d.Day, int(d.Month), d.Year)
}

// Compact is 23112026.
func (d Date) Compact() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%02d%02d%04d", d.Day, int(d.Month), d.Year)
}

// MarshalText is ISO 8601.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads ISO 8601; empty text is no date.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	x, err := ParseISO(string(b))
	if err != nil {
		return err
	}
	*d = x
	return nil
}

// Start is midnight in Rome, as an instant in UTC.
func (d Date) Start() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, Rome).UTC()
}

// End is 23:59:59 in Rome, as an instant in UTC: the last second of the day,
// the one that a certificate's notAfter names.
func (d Date) End() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 23, 59, 59, 0, Rome).UTC()
}

// AddDays counts calendar days.
func (d Date) AddDays(n int) Date {
	y, m, dd := time.Date(d.Year, d.Month, d.Day+n, 12, 0, 0, 0, time.UTC).Date()
	return Date{y, m, dd}
}

// AddYears keeps day and month; 29 February becomes 28 February in a common
// year, so that a term never lasts longer than the years it was given.
func (d Date) AddYears(n int) Date {
	x := Date{d.Year + n, d.Month, d.Day}
	if !x.Valid() && d.Month == time.February && d.Day == 29 {
		x.Day = 28
	}
	return x
}

// AddMonths keeps the day, cut to the last day of the month reached.
func (d Date) AddMonths(n int) Date {
	first := time.Date(d.Year, d.Month+time.Month(n), 1, 12, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return Date{first.Year(), first.Month(), min(d.Day, last)}
}

// Compare is -1, 0 or 1.
func (d Date) Compare(o Date) int {
	switch {
	case d.Year != o.Year:
		return sign(d.Year - o.Year)
	case d.Month != o.Month:
		return sign(int(d.Month - o.Month))
	default:
		return sign(d.Day - o.Day)
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// Before tells d < o.
func (d Date) Before(o Date) bool { return d.Compare(o) < 0 }

// After tells d > o.
func (d Date) After(o Date) bool { return d.Compare(o) > 0 }

// AgeOn is the number of whole years lived on day on by somebody born on d. Who
// is born on 29 February completes the year on 1 March of a common year.
func (d Date) AgeOn(on Date) int {
	n := on.Year - d.Year
	if on.Month < d.Month || (on.Month == d.Month && on.Day < d.Day) {
		n--
	}
	return n
}
