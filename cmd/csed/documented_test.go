package main

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// docs/configuration.md shows keys that exist, and every key there is.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/configuration.md")
	check(t, err)
	_, rest, _ := strings.Cut(string(b), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	var c Config
	dec := yaml.NewDecoder(strings.NewReader(example))
	dec.KnownFields(true)
	check(t, dec.Decode(&c))
	for _, key := range keysOf(reflect.TypeFor[Config]()) {
		if !strings.Contains(string(b), key+":") {
			t.Errorf("the key %s is not documented", key)
		}
	}
}

func keysOf(t reflect.Type) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		out = append(out, key)
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
			out = append(out, keysOf(inner)...)
		}
	}
	return out
}
