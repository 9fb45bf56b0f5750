// Package memory shares one budget of memory over the blocks of a process.
package memory

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

const (
	// DefaultLimit is the budget that nothing else is set for, in bytes.
	DefaultLimit = 256 << 20
	// MinLimit is the least that can be set: enough for one block.
	MinLimit = 16 << 20
	// Variable is the environment variable that sets the budget.
	Variable = "MIMECAST_MEMORY_LIMIT"

	// least is what each block may take, however many there are: with less, it
	// could not go on.
	least = 2816 << 10
	// most is what one block may take if it is alone.
	most = 48 << 20
)

// Budget is the memory that the blocks of a process may take together. The zero
// value is one of [DefaultLimit]. It is safe for concurrent use.
type Budget struct {
	limit    atomic.Int64 // 0: DefaultLimit
	reserved atomic.Int64
	active   atomic.Int64 // shares that have reserved something
	shares   atomic.Int64
}

// Set sets the budget to a size as [ParseSize] reads it. It changes nothing for an
// empty one and after an error.
func (b *Budget) Set(size string) error {
	if size == "" {
		return nil
	}
	n, err := ParseSize(size)
	if err == nil && n < MinLimit {
		err = fmt.Errorf("%q is less than %dM", size, MinLimit>>20)
	}
	if err == nil {
		b.limit.Store(n)
	}
	return err
}

// Limit returns the budget in bytes.
func (b *Budget) Limit() int64 {
	if n := b.limit.Load(); n > 0 {
		return n
	}
	return DefaultLimit
}

// Reserved returns how many bytes all shares have reserved.
func (b *Budget) Reserved() int64 { return b.reserved.Load() }

// Share returns the share of one more block, to be closed.
func (b *Budget) Share() *Share {
	return &Share{budget: b, before: int(b.shares.Add(1)) - 1}
}

// portion returns how many bytes a block may take of a limit, where so many bytes are
// reserved by so many active blocks. Half of the limit is for what has no owner: memory
// that Go has not collected yet, and what the host's allocator keeps.
func portion(limit, reserved, active int64) int64 {
	limit /= 2
	if reserved >= limit {
		return least
	}
	return min(max(limit/max(active, 1), least), most)
}

// ParseSize reads a number of bytes, which may end in K, M or G, for powers of 1024.
func ParseSize(text string) (int64, error) {
	number, shift := text, 0
	if n := len(text) - 1; n > 0 {
		if i := strings.IndexByte("KMG", text[n]&^0x20); i >= 0 {
			number, shift = text[:n], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n<<shift>>shift != n || int64(n<<shift) < 0 {
		return 0, fmt.Errorf("%q is no size like 256M, 1G or a number of bytes", text)
	}
	return int64(n << shift), nil
}
