package collector

import (
	"strings"
	"testing"

	"fluent-bit-mimecast/mimecast"
)

func TestHintsForRefusals(t *testing.T) {
	siem, paged := mimecast.SIEM(), mimecast.Impersonation().Endpoint
	for _, test := range []struct {
		refusal mimecast.APIError
		want    string // empty: no hint
	}{
		{mimecast.APIError{Status: 200, Code: "err_developer_key"}, "check app_id and app_key"},
		{mimecast.APIError{Status: 401}, "check app_key, access_key and secret_key"},
		{mimecast.APIError{Status: 418}, "Authentication Profile TTL"},
		{mimecast.APIError{Status: 403, Endpoint: siem}, "the user lacks a permission: its administrator role needs Gateway | Tracking | Read, and Enhanced Logging must be on for the account"},
		{mimecast.APIError{Status: 403, Endpoint: paged}, "the user lacks a permission: its administrator role needs Monitoring | Impersonation Protection | Read"},
		{mimecast.APIError{Status: 400, Code: "err_audit_log_incorrect_region"}, "check region or base_url"},
		{mimecast.APIError{Status: 404}, "check base_url or region"},
		{mimecast.APIError{Status: 302}, "check base_url or region"},
		{mimecast.APIError{Status: 407}, "proxy_url"},
		{mimecast.APIError{Status: 400}, ""},
		{mimecast.APIError{Status: 429, Code: "err_xdk_invalid_signature"}, ""},
		{mimecast.APIError{Status: 503, Code: "err_developer_key"}, ""},
	} {
		if got := whatToDo(&test.refusal); !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%+v: got %q, want %q", test.refusal, got, test.want)
		}
	}
}
