package demo

// Result is what `csed demo --once --json` prints, schema cse.demo/1. Paths are
// relative to the data folder. It holds no PIN, PUK or CIP.
type Result struct {
	Schema     string     `json:"schema"`
	People     int        `json:"people"`
	Rejected   int        `json:"rejected"`
	Cards      Cards      `json:"cards"`
	Card       Card       `json:"card"`
	CA         CA         `json:"ca"`
	Activation Activation `json:"activation"`
	Login      Login      `json:"login"`
	Refused    Refused    `json:"refused"`
	Web        Web        `json:"web"`
}

// Cards counts the cards made.
type Cards struct {
	Chip     int `json:"chip"`
	Chipless int `json:"chipless"`
}

// Card is the one that was activated.
type Card struct {
	ID          string `json:"id"`
	TEAM        string `json:"team"`
	CF          string `json:"codice_fiscale"`
	Image       string `json:"image"`
	Certificate string `json:"certificate"`
}

// CA are the CNS authority's certificates and lists.
type CA struct {
	Root    string   `json:"root"`
	Issuing string   `json:"issuing"`
	CRL     []string `json:"crl"`
}

// Activation are the holder's papers.
type Activation struct {
	Form string `json:"form"`
	Mail string `json:"mail"`
}

// Login is what the door and the portal said about the holder.
type Login struct {
	CF        string            `json:"codice_fiscale"`
	ACR       string            `json:"acr"`
	Functions map[string]string `json:"functions"`
}

// Refused is the code with which the door refused the revoked card.
type Refused struct {
	Code string `json:"code"`
}

// Web is where the pages are and which authority their certificates come from.
type Web struct {
	CA     string `json:"ca"`
	Portal string `json:"portal"`
	Login  string `json:"login"`
}
