package mimecast

import "context"

const uriImpersonation = "/api/ttp/impersonation/get-logs"

// ImpersonationFilter narrows down the TTP impersonation protect logs. Values
// are sent as they are. The zero value asks for everything.
type ImpersonationFilter struct {
	TaggedMalicious *bool
	SearchField     string
	Query           string // required with SearchField
	Identifiers     []string
	Actions         []string
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

// ImpersonationLogs returns the TTP impersonation protect logs that match f.
//
// Source: Mimecast's page of the endpoint, and recorded answers.
func (c *Client) ImpersonationLogs(f ImpersonationFilter) PagedLog {
	return func(ctx context.Context, r PageRequest) (Page, error) {
		filter := map[string]any{}
		if f.TaggedMalicious != nil {
			filter["taggedMalicious"] = *f.TaggedMalicious
		}
		if f.SearchField != "" {
			filter["searchField"] = f.SearchField
		}
		if f.Query != "" {
			filter["query"] = f.Query
		}
		if len(f.Identifiers) > 0 {
			filter["identifiers"] = f.Identifiers
		}
		if len(f.Actions) > 0 {
			filter["actions"] = f.Actions
		}
		return c.page(ctx, uriImpersonation, "impersonationLogs", filter, r)
	}
}
