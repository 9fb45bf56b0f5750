package mimecast

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	jsoniter "github.com/json-iterator/go"
)

// This file alone knows which library reads the API's envelopes. They come from
// the network, so lists in them are bounded while they are read.

// maxElements bounds a list. Pages have at most 10,000 events; what a JSON answer
// with SIEM records may have is not known, and [maxEnvelope] bounds it first.
const maxElements = 500_000

// rawJSON is a JSON value as the service spelled it.
type rawJSON = jsoniter.RawMessage

func marshal(v any) ([]byte, error) {
	return jsoniter.ConfigCompatibleWithStandardLibrary.Marshal(v)
}

// unmarshal reads one JSON value and refuses bytes that follow it.
func unmarshal(data []byte, v any) error {
	return jsoniter.ConfigCompatibleWithStandardLibrary.Unmarshal(data, v)
}

// elements returns the elements of a list; a null is an empty one.
func elements(data []byte) ([]rawJSON, error) {
	it := jsoniter.ParseBytes(jsoniter.ConfigDefault, data)
	var list []rawJSON
	switch it.WhatIsNext() {
	case jsoniter.ArrayValue:
	case jsoniter.NilValue:
		return nil, nil
	default:
		return nil, errors.New("not a list")
	}
	it.ReadArrayCB(func(it *jsoniter.Iterator) bool {
		if len(list) == maxElements {
			it.ReportError("elements", fmt.Sprintf("a list of more than %d elements", maxElements))
			return false
		}
		list = append(list, it.SkipAndReturnBytes())
		return it.Error == nil
	})
	return list, it.Error
}

// member returns the first member of an object that is called so, nil when there
// is none or it is no object.
func member(data []byte, key string) (value rawJSON) {
	it := jsoniter.ParseBytes(jsoniter.ConfigDefault, data)
	if it.WhatIsNext() != jsoniter.ObjectValue {
		return nil
	}
	it.ReadMapCB(func(it *jsoniter.Iterator, k string) bool {
		if k != key {
			it.Skip()
			return it.Error == nil
		}
		if v := it.SkipAndReturnBytes(); it.Error == nil {
			value = v
		}
		return false
	})
	return value
}

// text returns a member that is a string.
func text(data []byte, key string) (s string) {
	_ = unmarshal(member(data, key), &s) // anything else is none
	return s
}

// wholeNumber reads a whole number, or the string of one; 0 if it is none.
func wholeNumber(raw rawJSON) int64 {
	n, err := strconv.ParseInt(strings.Trim(string(raw), "\" "), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// truth says whether a member is true, or the string of it.
func truth(data []byte, key string) bool {
	v := member(data, key)
	return string(v) == "true" || string(v) == `"true"`
}

// isEnvelopeHead says whether data, which may be cut off anywhere, begins an
// envelope of the API: an object with an object meta or a list fail, though not
// behind another that is long.
func isEnvelopeHead(data []byte) (is bool) {
	it := jsoniter.ParseBytes(jsoniter.ConfigDefault, data)
	if it.WhatIsNext() != jsoniter.ObjectValue {
		return false
	}
	it.ReadMapCB(func(it *jsoniter.Iterator, k string) bool {
		kind := it.WhatIsNext()
		is = is || (k == "meta" && kind == jsoniter.ObjectValue) || (k == "fail" && kind == jsoniter.ArrayValue)
		if !is {
			it.Skip()
		}
		return !is && it.Error == nil
	})
	return is
}
