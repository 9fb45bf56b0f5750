package harness

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tinylib/msgp/msgp"
)

// Fluent Bit's chunk files begin with 24 bytes, of which the first two are a
// mark, four from the tenth on the length of the content and the last two that
// of the tag and more, which comes before the content. The format is chunkio's.
const (
	chunkHeader    = 24
	chunkLengthAt  = 10
	chunkMetaLenAt = 22
)

// TakeChunks counts the records in all chunks of a Fluent Bit that does not
// run, and deletes the chunks, as if they had been sent.
func (t *Tally) TakeChunks(storage string) error {
	paths, err := filepath.Glob(filepath.Join(storage, "*", "*.flb"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := t.addChunk(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tally) addChunk(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) < chunkHeader || len(bytes.Trim(b, "\x00")) == 0 {
		return nil // made, perhaps grown, and not yet written
	}
	if b[0] != 0xc1 || b[1] != 0 {
		return errors.New("not a chunk")
	}
	start := chunkHeader + int(binary.BigEndian.Uint16(b[chunkMetaLenAt:]))
	length := int(binary.BigEndian.Uint32(b[chunkLengthAt:]))
	if start+length > len(b) {
		return fmt.Errorf("a content of %d bytes in a file of %d", length, len(b))
	}
	var record bytes.Buffer
	return eachRecord(b[start:start+length], func(body []byte) error {
		record.Reset()
		if _, err := msgp.UnmarshalAsJSON(&record, body); err != nil {
			return err
		}
		return t.Add(record.Bytes())
	})
}

// eachRecord calls fn with the body of each record of a chunk or an append, as
// msgpack.
func eachRecord(content []byte, fn func(body []byte) error) error {
	for len(content) > 0 {
		rest, err := msgp.Skip(content)
		if err != nil {
			return err
		}
		body, err := body(content[:len(content)-len(rest)])
		if err != nil {
			return err
		}
		if err := fn(body); err != nil {
			return err
		}
		content = rest
	}
	return nil
}

// body returns the map of a record, [[time, metadata], map].
func body(record []byte) ([]byte, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(record)
	if err != nil || n != 2 {
		return nil, fmt.Errorf("not a record of two parts: %w", err)
	}
	return msgp.Skip(rest)
}
