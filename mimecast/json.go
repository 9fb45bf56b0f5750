package mimecast

import jsoniter "github.com/json-iterator/go"

// This file alone knows which library reads the API's envelopes.

// rawJSON is a JSON value as the service spelled it.
type rawJSON = jsoniter.RawMessage

func marshal(v any) ([]byte, error) {
	return jsoniter.ConfigCompatibleWithStandardLibrary.Marshal(v)
}

// unmarshal reads one JSON value and refuses bytes that follow it.
func unmarshal(data []byte, v any) error {
	return jsoniter.ConfigCompatibleWithStandardLibrary.Unmarshal(data, v)
}

// firstKey returns the first key of the JSON object that data begins with,
// empty when there is none. Data may be cut off after it.
func firstKey(data []byte) string {
	var key string
	jsoniter.ParseBytes(jsoniter.ConfigDefault, data).ReadMapCB(func(_ *jsoniter.Iterator, k string) bool {
		key = k
		return false
	})
	return key
}
