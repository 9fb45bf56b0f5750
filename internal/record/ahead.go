package record

import (
	"fmt"
	"io"
	"os"
)

// ahead reads a file in a goroutine of its own, some blocks ahead of its reader,
// so that one core inflates while another decodes. The zero value is ready to
// open a file.
type ahead struct {
	blocks chan []byte // that have been read; closed at the end
	free   chan []byte
	spare  [][]byte // all blocks, between files
	stop   chan struct{}
	err    error // why blocks is closed
	block  []byte
	left   []byte // of block
}

const (
	aheadBlocks = 4
	aheadSize   = 256 << 10
	// AheadBytes is what a [Reader] takes to read ahead.
	AheadBytes = aheadBlocks * aheadSize
)

// open begins with a file. The one before must be closed.
func (a *ahead) open(file io.Reader) {
	for len(a.spare) < aheadBlocks {
		a.spare = append(a.spare, make([]byte, aheadSize))
	}
	a.free = make(chan []byte, aheadBlocks)
	for _, block := range a.spare {
		a.free <- block
	}
	a.spare = a.spare[:0]
	a.blocks, a.stop = make(chan []byte, aheadBlocks), make(chan struct{})
	go a.read(file, a.blocks, a.stop)
}

// read runs until the file's end, an error, or stop.
func (a *ahead) read(file io.Reader, blocks chan<- []byte, stop <-chan struct{}) {
	defer close(blocks)
	for a.err = nil; a.err == nil; {
		select {
		case <-stop:
			return
		case block := <-a.free:
			var n int
			n, a.err = fill(file, block)
			blocks <- block[:n] // there is room for all blocks
		}
	}
}

// guarded makes an error of a panic of its reader.
type guarded struct{ io.Reader }

// Read implements io.Reader.
func (g guarded) Read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("a bug in this plugin; please report it: reading a log file: %v", r)
		}
	}()
	return g.Reader.Read(p)
}

// fill reads until the block is full or there is an error.
func fill(file io.Reader, block []byte) (n int, err error) {
	for idle := 0; n < len(block) && err == nil; idle++ {
		var m int
		if m, err = file.Read(block[n:]); m > 0 {
			n, idle = n+m, 0
		}
		if err == nil && idle > 100 {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	if a.blocks == nil {
		return 0, os.ErrClosed
	}
	for len(a.left) == 0 {
		a.giveBack()
		block, ok := <-a.blocks
		if !ok {
			return 0, a.err
		}
		a.block, a.left = block, block
	}
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}

func (a *ahead) giveBack() {
	if a.block != nil {
		a.free <- a.block[:aheadSize]
		a.block, a.left = nil, nil
	}
}

// close ends the reading and waits for its goroutine.
func (a *ahead) close() {
	if a.blocks == nil {
		return
	}
	close(a.stop)
	a.giveBack()
	for block := range a.blocks {
		a.free <- block[:aheadSize]
	}
	for range aheadBlocks {
		a.spare = append(a.spare, <-a.free)
	}
	a.blocks, a.free = nil, nil
}
