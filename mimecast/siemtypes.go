package mimecast

import "strings"

// SIEMType is a type of SIEM logs.
type SIEMType struct {
	Name    string // in API 2.0; some have spaces
	LogType string // what the log files of API 1.0 call it
}

// SIEMTypes returns the types of [SIEMEvents]. The caller owns the list.
func SIEMTypes() []SIEMType {
	return []SIEMType{
		{"receipt", "receipt"},
		{"process", "process"},
		{"delivery", "delivery"},
		{"journal", "jrnl"},
		{"av", "av"},
		{"spam", "spameventthread"},
		{"attachment protect", "ttp_ap"},
		{"impersonation protect", "impersonation"},
		{"internal email protect", "iep"},
		{"url protect", "ttp_url"},
	}
}

// SIEMTypesCI returns the names of the types of [SIEMEventsCI], of which API 1.0 has
// none. The caller owns the list.
func SIEMTypesCI() []string { return []string{"entities", "mailflow", "urlclick"} }

// SIEMLogType returns the word of API 1.0 for a type of API 2.0, which may have a
// subtype after a colon. Another type is written in lower case, with _ for
// everything that is no letter or digit of ASCII; it is unknown if that does not
// begin with a letter or has more than 32 bytes.
func SIEMLogType(name string) string {
	name, _, _ = strings.Cut(name, ":")
	for _, t := range SIEMTypes() {
		if strings.EqualFold(t.Name, name) {
			return t.LogType
		}
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	name = strings.Join(words, "_")
	if name == "" || len(name) > 32 || name[0] < 'a' {
		return "unknown"
	}
	return name
}
