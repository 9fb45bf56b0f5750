package mimecast

import (
	"maps"
	"slices"
)

// Regions returns the base URL of each region of API 1.0 or 2.0, by the name that
// Mimecast's documentation gives it; nil for another API. The caller owns the map.
//
// API 2.0's global serves the accounts of all regions; uk and us do so from there
// alone.
//
// https://integrations.mimecast.com/documentation/api-overview/global-base-urls/
// https://mimecastsupport.zendesk.com/hc/en-us/articles/41019270938643
func Regions(api int) map[string]string {
	switch api {
	case 1:
		return map[string]string{
			"eu":       "https://eu-api.mimecast.com",
			"de":       "https://de-api.mimecast.com",
			"us":       "https://us-api.mimecast.com",
			"usb":      "https://usb-api.mimecast.com",
			"ca":       "https://ca-api.mimecast.com",
			"za":       "https://za-api.mimecast.com",
			"au":       "https://au-api.mimecast.com",
			"offshore": "https://je-api.mimecast.com",
			"sandbox":  "https://sandbox-api.mimecast.com",
			"uspcom":   "https://uspcom-api.mimecast-pscom-us.com",
		}
	case 2:
		return map[string]string{
			"global": "https://api.services.mimecast.com",
			"uk":     "https://uk-api.services.mimecast.com",
			"us":     "https://us-api.services.mimecast.com",
		}
	}
	return nil
}

// RegionNames returns the names of the regions of API 1.0 or 2.0, sorted.
func RegionNames(api int) []string {
	return slices.Sorted(maps.Keys(Regions(api)))
}
