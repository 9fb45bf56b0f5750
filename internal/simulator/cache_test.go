package simulator

import "testing"

func TestCacheIsBounded(t *testing.T) {
	var c cache[int]
	const size = maxCached / 4
	for i := range 10 {
		c.put(i, make([]byte, size))
		c.put(i, nil) // it is there
	}
	for i := range 10 {
		if made, ok := c.get(i); ok != (i >= 6) || ok && len(made) != size {
			t.Errorf("%d: %d bytes, %v", i, len(made), ok)
		}
	}
	c.put(10, make([]byte, 2*maxCached))
	if _, ok := c.get(9); ok {
		t.Error("an old value stays beside a large one")
	}
	if made, _ := c.get(10); len(made) != 2*maxCached || c.size != 2*maxCached || len(c.kept) != 1 {
		t.Errorf("%d bytes of the latest, %d values of %d bytes", len(made), len(c.kept), c.size)
	}
}
