package agent

import "testing"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, page string
		want       document
	}{
		{"anchor", `<title> A  b </title><a rel=cns href="/x?a=1&amp;b=2">`, document{"A b", "/x?a=1&b=2"}},
		{"link", `<head><link rel="alternate CNS" href=" y "/>`, document{"", "y"}},
		{"first wins", `<a rel=cns href=1><a rel=cns href=2>`, document{"", "1"}},
		{"other rel", `<a rel="cnsx" href=1><a href=2>`, document{}},
		{"in a comment", `<!-- <a rel=cns href=1> -->`, document{}},
		{"in a script", `<script>"<a rel=cns href=1>"</script>`, document{}},
		{"two titles", `<title>a</title><svg><title>b</title></svg>`, document{title: "a"}},
		{"not HTML", "{\"a\":1}", document{}},
		{"cut", `<a rel=cns hre`, document{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parse([]byte(c.page)); got != c.want {
				t.Fatalf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<title>a</title><a rel=cns href="/x">`))
	f.Fuzz(func(_ *testing.T, b []byte) { parse(b) })
}
