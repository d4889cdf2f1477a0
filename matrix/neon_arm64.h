// Vector instructions that the assembler does not know, with registers by number: d = n op m.

#define FADD4S(m, n, d) WORD $(0x4E20D400 | m<<16 | n<<5 | d)
#define FSUB4S(m, n, d) WORD $(0x4EA0D400 | m<<16 | n<<5 | d)
#define FMUL4S(m, n, d) WORD $(0x6E20DC00 | m<<16 | n<<5 | d)
#define FDIV4S(m, n, d) WORD $(0x6E20FC00 | m<<16 | n<<5 | d)
#define FSQRT4S(n, d) WORD $(0x6EA1F800 | n<<5 | d)
#define FADD2D(m, n, d) WORD $(0x4E60D400 | m<<16 | n<<5 | d)
