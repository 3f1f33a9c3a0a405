"""Which formats there are."""

from typing import Final, Literal

from edge.gateways import espresense, kontakt, meraki, minew, openmqttgateway, raddec
from edge.gateways.heard import Translator

MqttFormat = Literal["openmqttgateway", "espresense", "minew", "kontakt", "raddec"]
TRANSLATORS: Final[dict[str, Translator]] = {
    "openmqttgateway": openmqttgateway.translate,
    "espresense": espresense.translate,
    "minew": minew.translate,
    "kontakt": kontakt.translate,
    "raddec": raddec.translate,
    "meraki": meraki.translate,
}
