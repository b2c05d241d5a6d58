package civil

import (
	"testing"
	"time"
)

func day(t *testing.T, s string) Date {
	t.Helper()
	d, err := ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDaysAreRoman(t *testing.T) {
	for _, c := range []struct{ instant, want string }{
		{"2026-01-31T22:59:59Z", "2026-01-31"}, // winter: UTC+1
		{"2026-01-31T23:00:00Z", "2026-02-01"},
		{"2026-07-31T21:59:59Z", "2026-07-31"}, // summer: UTC+2
		{"2026-07-31T22:00:00Z", "2026-08-01"},
		{"2026-03-29T00:59:59Z", "2026-03-29"}, // the night the clocks go forward
		{"2026-10-25T22:59:59Z", "2026-10-25"}, // the day of 25 hours
		{"2026-10-25T23:00:00Z", "2026-10-26"},
	} {
		at, err := time.Parse(time.RFC3339, c.instant)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayOf(at).String(); got != c.want {
			t.Errorf("DayOf(%s) = %s, want %s", c.instant, got, c.want)
		}
	}
	for _, s := range []string{"2026-03-29", "2026-10-25", "2028-02-29"} {
		d := day(t, s)
		if DayOf(d.Start()) != d || DayOf(d.End()) != d {
			t.Errorf("%s: start or end fall on another day", s)
		}
		if got := d.AddDays(1).Start().Sub(d.End()); got != time.Second {
			t.Errorf("%s: the next day begins %v after the end", s, got)
		}
	}
	if got := day(t, "2026-10-25").AddDays(1).Start().Sub(day(t, "2026-10-25").Start()); got != 25*time.Hour {
		t.Errorf("25 October 2026 lasts %v", got)
	}
}

func TestYearsAndAges(t *testing.T) {
	if got := day(t, "2028-02-29").AddYears(6).String(); got != "2034-02-28" {
		t.Errorf("leap day + 6 = %s", got)
	}
	if got := day(t, "2028-02-29").AddYears(4).String(); got != "2032-02-29" {
		t.Errorf("leap day + 4 = %s", got)
	}
	if got := day(t, "2026-08-31").AddMonths(6).String(); got != "2027-02-28" {
		t.Errorf("31 August + 6 months = %s", got)
	}
	for _, c := range []struct {
		born, on string
		want     int
	}{
		{"2008-11-23", "2026-11-22", 17},
		{"2008-11-23", "2026-11-23", 18},
		{"2008-02-29", "2026-02-28", 17},
		{"2008-02-29", "2026-03-01", 18},
	} {
		if got := day(t, c.born).AgeOn(day(t, c.on)); got != c.want {
			t.Errorf("born %s, on %s: %d, want %d", c.born, c.on, got, c.want)
		}
	}
}

func TestRefusedDays(t *testing.T) {
	for _, s := range []string{"", "2026-02-29", "2026-13-01", "23/11/2026", "2026-1-1", "0000-01-01"} {
		if d, err := ParseISO(s); err == nil {
			t.Errorf("ParseISO(%q) = %v", s, d)
		}
	}
	if d, err := ParseItalian("29/02/2028"); err != nil || d.Compact() != "29022028" || d.Italian() != "29/02/2028" {
		t.Errorf("ParseItalian: %v %v", d, err)
	}
}
