package record

import "errors"

// What can stop the reading of a value.
var (
	errShort  = errors.New(cutShort) // more bytes are needed
	errSyntax = errors.New("not JSON")
	errDepth  = errors.New("objects and lists nest too deep")
	errFields = errors.New("too many fields")
	errLong   = errors.New(tooLong)
	// errEncoded is of a record that its source does not show to be too long.
	errEncoded = errors.New("a record that is too long when it is encoded")
)

// bom is a byte order mark in UTF-8, as it stands before a text.
const bom = "\ufeff"
