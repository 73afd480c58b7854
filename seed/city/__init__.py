"""The demo city: impossible people in made-up places, brought about by the domain's own operations."""

from seed.city.building import CITY_GUIDE, PASSWORD, CityStands, build_city, is_half_built

__all__ = ["CITY_GUIDE", "PASSWORD", "CityStands", "build_city", "is_half_built"]
