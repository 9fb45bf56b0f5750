package simulator

import "sync"

// maxCached bounds what one cache holds, in bytes.
const maxCached = 32 << 20

// cache keeps what was made, for requests that ask for it again. It drops the
// oldest values once they are larger than maxCached together; the latest one
// stays whatever its size. Values are shared and must not be changed. Safe for
// concurrent use. The zero value is empty.
type cache[K comparable] struct {
	mu    sync.Mutex
	kept  map[K][]byte
	order []K // oldest first
	size  int
}

func (c *cache[K]) get(key K) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, ok := c.kept[key]
	return made, ok
}

func (c *cache[K]) put(key K, made []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.kept[key]; ok {
		return // another request made it too
	}
	if c.kept == nil {
		c.kept = map[K][]byte{}
	}
	c.kept[key] = made
	c.order = append(c.order, key)
	for c.size += len(made); c.size > maxCached && len(c.order) > 1; c.order = c.order[1:] {
		c.size -= len(c.kept[c.order[0]])
		delete(c.kept, c.order[0])
	}
}
