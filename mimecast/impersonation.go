package mimecast

// Impersonation returns the TTP impersonation protect log: mails that a policy
// took for an impersonation, in one result for each. Fields beyond the
// documented ones come from recorded answers.
//
// https://integrations.mimecast.com/documentation/endpoint-reference/logs-and-statistics/get-ttp-impersonation-protect-logs/
func Impersonation() Log {
	return Log{
		Name: "impersonation", Family: "ttp",
		Endpoint: Endpoint{
			Path:       "/api/ttp/impersonation/get-logs",
			Permission: "Monitoring | Impersonation Protection | Read",
			Product:    productSecurity,
			Page:       "https://integrations.mimecast.com/documentation/endpoint-reference/logs-and-statistics/get-ttp-impersonation-protect-logs/",
		},
		List: "impersonationLogs", ID: "id", Time: "eventTime",
		From: "from", To: "to", TimeLayout: timeLayout, OldestFirst: true,
	}
}

// ImpersonationFilter narrows down [Impersonation]. Values are sent unchanged.
// The zero value asks for everything.
type ImpersonationFilter struct {
	TaggedMalicious *bool    `json:"taggedMalicious,omitempty"`
	SearchField     string   `json:"searchField,omitempty"` // one of KnownSearchFields
	Query           string   `json:"query,omitempty"`       // required with SearchField
	Identifiers     []string `json:"identifiers,omitempty"`
	Actions         []string `json:"actions,omitempty"`
}

// Log implements [Filter].
func (ImpersonationFilter) Log() Log { return Impersonation() }

// KnownSearchFields returns the documented search fields.
func KnownSearchFields() []string {
	return []string{"senderAddress", "recipientAddress", "subject", "policy", "all"}
}

// KnownIdentifiers returns the documented identifiers, misspelt ones too.
func KnownIdentifiers() []string {
	return []string{
		"similar_internal_domain", "newly_observed_domain", "internal_user_name",
		"reply_address_mismatch", "repy_address_mismatch", "targeted_threat_dictionary",
		"custom_external_domain", "mimecast_external_domain", "advanced_similar_internal_domain",
		"advanced_custom_external_domain", "advanced_mimecast_external_domain", "custom_name_list",
	}
}

// KnownActions returns the documented actions, misspelt ones too, and none,
// which was seen live.
func KnownActions() []string {
	return []string{
		"delete", "hold", "bounce", "smart_folder", "disable_smart_folder", "content_expire",
		"meta_expire", "stationery", "gcc", "secure_delivery", "delivery_route", "derivery_route",
		"document_policy", "disable_document_policy", "attach_set_policy", "remove_email", "none",
	}
}
