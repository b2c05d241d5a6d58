package path

import (
	"maps"
	"slices"
)

// graph is the valid policy graph of RFC 9618, 5.1: at each depth one node for
// each policy, so that it grows with the sum of the policies and not their product.
type graph struct {
	levels []map[string]*policyNode // nil: the graph is NULL
}

type policyNode struct {
	expected map[string]bool
	parents  map[string]bool // valid policies at the depth above
}

func newGraph() *graph {
	return &graph{levels: []map[string]*policyNode{{anyPolicy: {expected: map[string]bool{anyPolicy: true}}}}}
}

func (g *graph) null() bool { return g == nil || g.levels == nil }

func (g *graph) top() map[string]*policyNode { return g.levels[len(g.levels)-1] }

// add takes the policies of the next certificate (6.1.3 (d)); anyAllowed tells whether anyPolicy counts in it.
func (g *graph) add(policies []string, anyAllowed bool) {
	if g.null() {
		return
	}
	above := g.top()
	next := map[string]*policyNode{}
	expecting := map[string][]string{} // policy → nodes above that expect it
	for p, n := range above {
		for e := range n.expected {
			expecting[e] = append(expecting[e], p)
		}
	}
	for _, p := range policies {
		if p == anyPolicy {
			continue
		}
		if parents := expecting[p]; len(parents) > 0 {
			next[p] = node(p, parents)
		} else if _, ok := above[anyPolicy]; ok {
			next[p] = node(p, []string{anyPolicy})
		}
	}
	if anyAllowed && slices.Contains(policies, anyPolicy) {
		for p, parents := range expecting {
			if next[p] == nil {
				next[p] = node(p, parents)
			}
		}
	}
	g.levels = append(g.levels, next)
	g.prune()
}

func node(policy string, parents []string) *policyNode {
	n := &policyNode{expected: map[string]bool{policy: true}, parents: map[string]bool{}}
	for _, p := range parents {
		n.parents[p] = true
	}
	return n
}

// prune takes away nodes without children, from the last depth but one upwards.
func (g *graph) prune() {
	for i := len(g.levels) - 1; i > 0; i-- {
		wanted := map[string]bool{}
		for _, n := range g.levels[i] {
			maps.Copy(wanted, n.parents)
		}
		maps.DeleteFunc(g.levels[i-1], func(p string, _ *policyNode) bool { return !wanted[p] })
	}
	if len(g.levels[0]) == 0 || len(g.top()) == 0 {
		g.levels = nil
	}
}

// mapped applies policyMappings (6.1.4 (a), (b)). inhibited: mappings delete.
func (g *graph) mapped(mappings [][2]string, inhibited bool) {
	if g.null() || len(mappings) == 0 {
		return
	}
	to := map[string]map[string]bool{}
	for _, m := range mappings {
		if to[m[0]] == nil {
			to[m[0]] = map[string]bool{}
		}
		to[m[0]][m[1]] = true
	}
	top := g.top()
	for from, subjects := range to {
		n, ok := top[from]
		switch any := top[anyPolicy]; {
		case inhibited:
			delete(top, from)
		case ok:
			n.expected = maps.Clone(subjects)
		case any != nil:
			top[from] = &policyNode{expected: maps.Clone(subjects), parents: maps.Clone(any.parents)}
		}
	}
	g.prune()
}

// accepted is the user-constrained-policy-set (6.1.5 (g)): what the authorities
// allow of what the user asks for; nil when nothing is left. wanted empty means anyPolicy.
func (g *graph) accepted(wanted []string) []string {
	if g.null() {
		return nil
	}
	allowed := map[string]bool{}
	for i := 1; i < len(g.levels); i++ {
		for p, n := range g.levels[i] {
			if p != anyPolicy && n.parents[anyPolicy] {
				allowed[p] = true
			}
		}
	}
	if len(g.levels) == 1 || g.top()[anyPolicy] != nil {
		allowed[anyPolicy] = true
	}
	if len(wanted) == 0 || slices.Contains(wanted, anyPolicy) {
		return slices.Sorted(maps.Keys(allowed))
	}
	var out []string
	for _, w := range wanted {
		if (allowed[w] || allowed[anyPolicy]) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}
