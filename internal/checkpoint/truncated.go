package checkpoint

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
)

var errTruncated = errors.New("the file is shorter than it was written")

// checkLength refuses a file that lacks pages which it refers to. bbolt maps a
// file into memory and would run into the hole, now or in a year.
//
// Both of the first two pages describe the file, 16 bytes from their start:
// magic, version, page size and flags of four bytes each, root page and its
// sequence, free list page, number of pages, transaction and checksum of eight.
func checkLength(f *os.File) error {
	const magic, pageHeader, metaSize = 0xED0CDAED, 16, 64
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	var pages, latest int64
	for page := range int64(2) {
		// Pages have the size that the first says, or the usual one.
		var size int64 = 4096
		meta := make([]byte, pageHeader+metaSize)
		if page == 1 {
			if _, err := f.ReadAt(meta, 0); err == nil && binary.LittleEndian.Uint32(meta[pageHeader:]) == magic {
				size = int64(binary.LittleEndian.Uint32(meta[pageHeader+8:]))
			}
		}
		if _, err := f.ReadAt(meta, page*size); err != nil {
			continue
		}
		meta = meta[pageHeader:]
		sum := fnv.New64a()
		sum.Write(meta[:56])
		if binary.LittleEndian.Uint32(meta) != magic || binary.LittleEndian.Uint64(meta[56:]) != sum.Sum64() {
			continue
		}
		if tx := int64(binary.LittleEndian.Uint64(meta[48:])); tx >= latest {
			latest = tx
			pages = int64(binary.LittleEndian.Uint64(meta[40:])) * int64(binary.LittleEndian.Uint32(meta[8:]))
		}
	}
	if pages > info.Size() {
		return errTruncated
	}
	return nil
}
