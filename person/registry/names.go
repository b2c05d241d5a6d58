package registry

// Invented people's names: common Italian, European and other given names and
// surnames, combined at random. A real person with one of these combinations
// exists by chance only; codes, addresses and dates are invented too.
var (
	italianSurnames = []string{
		"Rossi", "Bianchi", "Conti", "Galli", "Marini", "Bruni", "Villa", "Serra", "Fontana", "Rinaldi", "Caruso", "Leone",
		"Longo", "Gentile", "Lombardi", "Moretti", "Barbieri", "Santoro", "Mariani", "Ferri", "Giusti", "Innocenti",
		"Nencini", "Baldi", "Lenzi", "Pieri", "Tozzi", "Vannucci", "Lastrucci", "Fabbri", "Bini", "Neri", "Cei", "De Santis",
		"D'Angelo", "Dell'Orto", "Della Valle", "Niccolò", "Salvadè", "Corsi", "Fo", "Bo",
	}
	italianMale = []string{
		"Mario", "Luca", "Andrea", "Paolo", "Giovanni", "Niccolò", "Lorenzo", "Tommaso", "Cosimo", "Dario", "Ezio", "Fabio",
		"Gino", "Iacopo", "Leonardo", "Michele", "Neri", "Piero", "Ruggero", "Sandro", "Ugo", "Gian Luca", "Pier Giorgio",
	}
	italianFemale = []string{
		"Maria", "Anna", "Giulia", "Chiara", "Elena", "Francesca", "Ilaria", "Lucia", "Marta", "Nora", "Olga", "Paola",
		"Rita", "Sara", "Teresa", "Viola", "Bianca", "Caterina", "Emma", "Ada", "Maria Luisa", "Noè Sofia",
	}
	europeanSurnames = []string{"Müller", "Dubois", "Popescu", "Nowak", "Novák", "Horvat", "García", "Sørensen", "Łukasik", "Ionescu"}
	europeanMale     = []string{"Andrei", "Jan", "Lukáš", "Pierre", "José", "Jürgen"}
	europeanFemale   = []string{"Ioana", "Zoë", "Agnieszka", "Inès", "Bjørg", "Ana"}
	otherSurnames    = []string{"Hoxha", "Chen", "El Amrani", "Fernando", "Shevchenko", "Diop", "Gonzales", "Singh"}
	otherMale        = []string{"Arben", "Wei", "Youssef", "Nimal", "Petro", "Mamadou", "Luis"}
	otherFemale      = []string{"Elira", "Mei", "Fatima", "Kumari", "Olena", "Awa", "Rosa"}
)

// origin is where a foreign citizen was born.
type origin struct{ belfiore, iso string }

var (
	europe = []origin{{"Z129", "RO"}, {"Z112", "DE"}, {"Z110", "FR"}, {"Z127", "PL"}, {"Z131", "ES"}, {"Z156", "CZ"}, {"Z149", "HR"}, {"Z133", "CH"}}
	others = []origin{{"Z100", "AL"}, {"Z210", "CN"}, {"Z330", "MA"}, {"Z209", "LK"}, {"Z138", "UA"}, {"Z343", "SN"}, {"Z611", "PE"}, {"Z222", "IN"}}
)

// home is a municipality of Tuscany with its post code and health unit.
type home struct{ belfiore, province, postCode, asl string }

var homes = []home{
	{"D612", "FI", "50121", "201"},
	{"D612", "FI", "50134", "201"},
	{"G999", "PO", "59100", "201"},
	{"G713", "PT", "51100", "201"},
	{"G702", "PI", "56121", "202"},
	{"E715", "LU", "55100", "202"},
	{"E625", "LI", "57121", "202"},
	{"F023", "MS", "54100", "202"},
	{"I726", "SI", "53100", "203"},
	{"A390", "AR", "52100", "203"},
	{"E202", "GR", "58100", "203"},
}

var streets = []string{"Via Roma", "Via Garibaldi", "Piazza della Libertà", "Via dei Mille", "Viale Europa", "Via del Colle", "Borgo Nuovo", "Via San Niccolò"}
