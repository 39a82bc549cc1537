"""Every determiner, noun and adjective as a dictionary has them, by gender and number."""

from __future__ import annotations

DETERMINERS = {
    "ms": "el un este aquel mi tu nuestro al del",
    "fs": "la una esta aquella mi tu nuestra",
    "mp": "los unos estos aquellos mis tus nuestros dos",
    "fp": "las unas estas aquellas mis tus nuestras dos",
}
NOUN_FORMS = {
    "ms": "niño hombre profesor médico hermano gato perro caballo pájaro tomate pan arroz café libro coche "
    "sombrero parque jardín mercado",
    "fs": "niña mujer profesora enfermera abuela amiga águila manzana pera sopa agua leche revista carta "
    "bicicleta camisa llave puerta ventana caja mesa silla casa cocina calle playa",
    "mp": "niños hombres profesores médicos hermanos gatos perros caballos pájaros tomates libros coches "
    "sombreros",
    "fp": "niñas mujeres profesoras enfermeras abuelas amigas águilas manzanas peras revistas cartas "
    "bicicletas camisas llaves puertas ventanas cajas mesas sillas",
}
ADJECTIVE_FORMS = {
    "ms": "rojo blanco negro pequeño nuevo viejo alto cansado frío",
    "fs": "roja blanca negra pequeña nueva vieja alta cansada fría",
    "mp": "rojos blancos negros pequeños nuevos viejos altos cansados fríos",
    "fp": "rojas blancas negras pequeñas nuevas viejas altas cansadas frías",
}
BOTH_GENDERS = {
    "s": "verde grande interesante joven amable triste feliz caliente",
    "p": "verdes grandes interesantes jóvenes amables tristes felices calientes",
}
NOUN_OF = {word: shape for shape, text in NOUN_FORMS.items() for word in text.split()}
ADJECTIVES_OF = {
    shape: {*ADJECTIVE_FORMS[shape].split(), *BOTH_GENDERS[shape[1]].split()} for shape in ADJECTIVE_FORMS
}
ALL_ADJECTIVES = set().union(*ADJECTIVES_OF.values())
ALL_DETERMINERS = {word for text in DETERMINERS.values() for word in text.split()}
